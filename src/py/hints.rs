//! What the stub says of types that are not classes of ours.

use pyo3::inspect::{PyStaticConstant, PyStaticExpr};
use pyo3::{PyTypeInfo, type_hint_identifier, type_hint_subscript, type_hint_union};

use super::explanation::Cause;
use super::payload::views::LineItem;
use super::webhook::Webhook;

const NONE: PyStaticExpr = PyStaticExpr::Constant {
    value: PyStaticConstant::None,
};
const ELLIPSIS: PyStaticExpr = PyStaticExpr::Constant {
    value: PyStaticConstant::Ellipsis,
};

pub(super) const ANY: PyStaticExpr = type_hint_identifier!("typing", "Any");
pub(super) const BOOL: PyStaticExpr = type_hint_identifier!("builtins", "bool");
pub(super) const FLOAT: PyStaticExpr = type_hint_identifier!("builtins", "float");
pub(super) const INT: PyStaticExpr = type_hint_identifier!("builtins", "int");
pub(super) const STR: PyStaticExpr = type_hint_identifier!("builtins", "str");
pub(super) const AWAITABLE_BOOL: PyStaticExpr =
    type_hint_subscript!(type_hint_identifier!("collections.abc", "Awaitable"), BOOL);
pub(super) const AWAITABLE_NONE: PyStaticExpr =
    type_hint_subscript!(type_hint_identifier!("collections.abc", "Awaitable"), NONE);
pub(super) const BOOL_OR_NONE: PyStaticExpr = type_hint_union!(BOOL, NONE);
pub(super) const DATETIME_OR_NONE: PyStaticExpr = type_hint_union!(type_hint_identifier!("datetime", "datetime"), NONE);
pub(super) const DECIMAL_OR_NONE: PyStaticExpr = type_hint_union!(type_hint_identifier!("decimal", "Decimal"), NONE);
pub(super) const DICT: PyStaticExpr = type_hint_subscript!(type_hint_identifier!("builtins", "dict"), STR, ANY);
pub(super) const LINE_ITEMS: PyStaticExpr = type_hint_subscript!(
    type_hint_identifier!("builtins", "tuple"),
    <LineItem as PyTypeInfo>::TYPE_HINT,
    ELLIPSIS
);
pub(super) const PATHS_BY_NAME: PyStaticExpr = type_hint_subscript!(
    type_hint_identifier!("builtins", "dict"),
    STR,
    type_hint_subscript!(type_hint_identifier!("builtins", "list"), STR)
);
pub(super) const FACTS: PyStaticExpr = type_hint_subscript!(
    type_hint_identifier!("builtins", "dict"),
    STR,
    type_hint_union!(STR, INT, BOOL)
);
pub(super) const CAUSES: PyStaticExpr = type_hint_subscript!(
    type_hint_identifier!("builtins", "tuple"),
    <Cause as PyTypeInfo>::TYPE_HINT,
    ELLIPSIS
);
pub(super) const WEBHOOKS: PyStaticExpr = type_hint_subscript!(
    type_hint_identifier!("collections.abc", "Sequence"),
    <Webhook as PyTypeInfo>::TYPE_HINT
);
pub(super) const STR_OR_NONE: PyStaticExpr = type_hint_union!(STR, NONE);
pub(super) const STRINGS: PyStaticExpr =
    type_hint_subscript!(type_hint_identifier!("builtins", "tuple"), STR, ELLIPSIS);
pub(super) const TEXTS: PyStaticExpr =
    type_hint_subscript!(type_hint_identifier!("builtins", "tuple"), STR_OR_NONE, ELLIPSIS);

// Those that have a name in `_types.py`.

const TYPES: &str = "listrak_webhooks._types";

pub(super) const ACCEPTED_ENCODING: PyStaticExpr = type_hint_identifier!(TYPES, "AcceptedEncoding");
pub(super) const ALIASES: PyStaticExpr = type_hint_identifier!(TYPES, "Aliases");
pub(super) const CLOCK: PyStaticExpr = type_hint_identifier!(TYPES, "Clock");
pub(super) const HEADERS: PyStaticExpr = type_hint_identifier!(TYPES, "Headers");
pub(super) const JOURNEY: PyStaticExpr = type_hint_identifier!(TYPES, "Journey");
pub(super) const PARSED: PyStaticExpr = type_hint_identifier!(TYPES, "T");
pub(super) const MODEL: PyStaticExpr = type_hint_subscript!(type_hint_identifier!("builtins", "type"), PARSED);
pub(super) const SECRETS: PyStaticExpr = type_hint_identifier!(TYPES, "Secrets");
pub(super) const SIGNING_ENCODING: PyStaticExpr = type_hint_identifier!(TYPES, "SigningEncoding");
pub(super) const SIGNING_TIME: PyStaticExpr = type_hint_identifier!(TYPES, "SigningTime");
pub(super) const TOLERANCE: PyStaticExpr = type_hint_identifier!(TYPES, "Tolerance");
