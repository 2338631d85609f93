"""The steps of ``scripts/setup_env.py``. They use the standard library only.

main -> machine (what is here) -> packages (venv, pinned packages) -> operators (mmcv) -> project
"""
