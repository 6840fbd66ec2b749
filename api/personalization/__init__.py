"""Personalization that fans agreed to: what it reads comes through `consent_gate` alone, and it says why."""
