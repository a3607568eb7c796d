"""The Salesforce side: signing in, describing, reading and writing; it knows nothing of LearnUpon's API."""
