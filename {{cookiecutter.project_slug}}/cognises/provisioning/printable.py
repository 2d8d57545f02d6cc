"""Text from AWS before it reaches a terminal: nothing in it may move the cursor or turn around."""

from cognises.errors import printable as printable
