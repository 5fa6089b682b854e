"""One Linux machine as the AWS region that the program expects: moto as the API, and what moto only pretends made real."""
