"""Marks on tracks that are no persons to judge: ignored, static, or suspected of being a reflection."""
