"""What all readers share: values of users, limits, messages."""
