"""learnupon-sync: keeps Salesforce in step with LearnUpon; this module holds the version and nothing else."""

__version__ = "0.1.0"
