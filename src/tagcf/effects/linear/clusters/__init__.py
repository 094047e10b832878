"""What clustered errors rest on: clusters left out in turn or squared, and how many there are."""
