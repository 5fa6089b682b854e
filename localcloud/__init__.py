"""One Linux machine as the AWS region that the program expects: moto as the API, the rest of AWS made real."""
