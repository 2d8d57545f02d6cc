"""What each command of provision.py does: options in, one outcome out."""
