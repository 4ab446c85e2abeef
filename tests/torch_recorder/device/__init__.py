"""Records of models on an accelerator, which is simulated: most machines that run the tests have none."""
