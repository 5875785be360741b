"""What diffusion models of any modality share: noise schedules, posteriors, samplers and averaged weights."""
