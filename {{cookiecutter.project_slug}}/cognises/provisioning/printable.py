"""Text from AWS before it reaches a terminal: nothing in it may move the cursor or turn around."""

from cognises.problem import printable as printable
