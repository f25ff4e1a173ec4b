"""The atlas: pages on which a person walks through what models learned, opened from disk, without server or network.

``static`` holds the pages; data and pictures are written beside them (write.py), in small scripts that register what
they hold, for a page that is opened from disk may read no other files.
"""
