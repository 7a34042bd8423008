"""The ground floor: what every room needs and what knows no domain."""
