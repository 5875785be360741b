"""Training over several processes of one machine, with the losses of one."""
