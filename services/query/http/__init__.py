"""What every endpoint of the query service shares: authentication, response formats, CSV, error documentation."""
