"""Features, references, scores and analyses of experiments, and scores of any two sets of images."""
