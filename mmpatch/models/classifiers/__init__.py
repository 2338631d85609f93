"""Classifiers that are trained patch by patch."""

from .patch_classifier import PatchClassifier

__all__ = ['PatchClassifier']
