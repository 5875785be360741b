"""The pixels of images: decoded from files of any size, and brought to one."""
