//! Why a policy could not be taken as it is.

use super::input::Refusal;
use super::reader::Node;

/// The two ways in which a document fails.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Fault {
    /// The engine does not understand the document: nothing may be concluded from the input.
    Refused(Refusal),
    /// The engine understands that the API server or Cilium will not have it: the policy is not in force. That is an
    /// error of every proof, never an empty policy.
    Void(Refusal),
}

impl Fault {
    pub fn void(node: &Node<'_, '_>, message: &str) -> Self {
        Self::Void(node.refuse(message))
    }
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}
