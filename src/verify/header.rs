//! The two headers of a delivery, and what they are called.

/// The two headers of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Header {
    /// The sender's Unix seconds.
    Timestamp,
    /// The MAC.
    Signature,
}

impl Header {
    /// The header's name as Listrak's article writes it; names are compared without regard to case.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Timestamp => "LTK-Timestamp",
            Self::Signature => "LTK-HmacSignature",
        }
    }

    /// The key under which WSGI's environ (PEP 3333) and Django's `META` hold it.
    #[must_use]
    pub const fn environ_name(self) -> &'static str {
        match self {
            Self::Timestamp => "HTTP_LTK_TIMESTAMP",
            Self::Signature => "HTTP_LTK_HMACSIGNATURE",
        }
    }
}
