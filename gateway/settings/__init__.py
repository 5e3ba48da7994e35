"""The configuration: strict TOML and the environment become one frozen section per component.

Owns names, kinds, defaults and bounds of settings, and the places of mistakes. Knows no component, no
adapter and no rule; their models come in as arguments.
"""

from gateway.settings.loading import every_setting, load
from gateway.settings.secrets import SecretText, Surroundings, secret_url, surroundings
from gateway.settings.sections import (
    EMBEDDED,
    AppSection,
    HashingSection,
    KeysSection,
    LimitsSection,
    ListenSection,
    LogSection,
    PrivateSection,
    Settings,
    SourceSection,
    StoreSection,
    TokensSection,
)
from gateway.settings.values import Address, AppAddress, Section, mistake

__all__ = [
    "EMBEDDED",
    "Address",
    "AppAddress",
    "AppSection",
    "HashingSection",
    "KeysSection",
    "LimitsSection",
    "ListenSection",
    "LogSection",
    "PrivateSection",
    "SecretText",
    "Section",
    "Settings",
    "SourceSection",
    "StoreSection",
    "Surroundings",
    "TokensSection",
    "every_setting",
    "load",
    "mistake",
    "secret_url",
    "surroundings",
]
