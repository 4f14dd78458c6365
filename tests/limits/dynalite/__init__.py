"""dynalite, a DynamoDB in JavaScript, from npm."""
