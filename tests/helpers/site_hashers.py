"""Django's hashers at a thousandth of their cost: what a test waits for is the crossing, not a hash."""

from django.contrib.auth.hashers import Argon2PasswordHasher, PBKDF2PasswordHasher


class QuickPBKDF2(PBKDF2PasswordHasher):
    iterations = 1000


class QuickArgon2(Argon2PasswordHasher):
    time_cost = 1
    memory_cost = 1024
    parallelism = 1
