"""What a network needs: layers, likelihood heads, the training loop and chunked inference."""
