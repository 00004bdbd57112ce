"""Optional libraries, and what to say if one is not installed."""

from __future__ import annotations


def missing_framework(module: str, framework: str, error: ModuleNotFoundError) -> ModuleNotFoundError:
    """Return the error to raise if `import listrak_webhooks.<module>` did not find its framework."""
    if error.name != module:
        # The framework is there and lacks something of its own: that is another problem, and not ours to explain.
        return error
    return ModuleNotFoundError(
        f"listrak_webhooks.{module} needs {framework}, which is not installed; "
        f"install it with: pip install 'listrak-webhooks[{module}]'",
        name=module,
    )
