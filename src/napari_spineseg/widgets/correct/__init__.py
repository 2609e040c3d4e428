"""The Correct page: tools, history, doubtful places, and what keeps drawings safe."""
