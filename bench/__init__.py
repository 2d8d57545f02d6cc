"""What the guards cost, in units of one RSA verification: `make bench`."""
