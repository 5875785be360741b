"""What jobs on images write besides tables: heat maps and inpainted images."""
