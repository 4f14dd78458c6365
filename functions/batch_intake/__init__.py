"""New objects of the inbox and job messages become batches."""
