//! Where an expression leads: which parts of the variables its value may be.

/// A step into a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    Field(String),
    /// What a loop runs over: the items of a list, the keys of a mapping.
    Item,
    /// What stands at some index or key.
    Each,
}

/// A part of a variable to which an expression may lead.
pub(super) type Lead = (String, Vec<Part>);

/// What an expression may have for a value: a part of a variable, or a list that it puts together itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Leads {
    pub parts: Vec<Lead>,
    /// What the items of such a list may be.
    pub items: Option<Box<Leads>>,
}

impl Leads {
    pub fn list(items: Self) -> Self {
        Self { parts: Vec::new(), items: Some(Box::new(items)) }
    }

    /// What is this or the other.
    pub fn or(mut self, other: Self) -> Self {
        for part in other.parts {
            if !self.parts.contains(&part) {
                self.parts.push(part);
            }
        }
        self.items = match (self.items, other.items) {
            (Some(one), Some(other)) => Some(Box::new(one.or(*other))),
            (one, other) => one.or(other),
        };
        self
    }

    /// What stands there in it.
    pub fn further(&self, part: &Part) -> Self {
        let one = |(name, path): &Lead| {
            let mut path = path.clone();
            path.push(part.clone());
            (name.clone(), path)
        };
        let parts = Self { parts: self.parts.iter().map(one).collect(), items: None };
        match (&self.items, part) {
            (Some(items), Part::Item | Part::Each) => parts.or(Self::clone(items)),
            _ => parts,
        }
    }
}
