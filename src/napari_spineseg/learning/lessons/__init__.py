"""What is learnt from: corrections that can be right, learnt or held back, and whether they have a style."""
