"""The contract of steps: parameters, context, samples, spellings."""
