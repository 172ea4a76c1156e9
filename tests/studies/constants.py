"""What the user's module uses."""

PLACE = "/home/somebody/notes/today.txt"
