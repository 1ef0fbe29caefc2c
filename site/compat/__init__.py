"""What the site uses of its libraries beyond their documented API, one module for each library.

tests/compat exercises each function and fails with a hint when a release changes what it leans on.
"""
