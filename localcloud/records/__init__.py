"""Moto's objects read into the records of localcloud/model.py. Called under moto's lock."""
