"""The three stages of a run (preparing, training, judging), and what each of them works with."""
