"""The tests mirror the packages; fakes.py has the seams' test doubles."""
