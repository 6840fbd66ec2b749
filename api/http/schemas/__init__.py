"""What answers look like: models for the OpenAPI document, with an example each. Answers are not validated when they are sent."""
