//! Expressions in CEL, as the API server evaluates them: compiled once, told what they read, run with the functions of
//! Kubernetes.

mod leads;
mod pattern;
mod reads;
mod roots;
mod value;

use std::cell::OnceCell;
use std::collections::BTreeSet;

use kube_cel::KubeCelExt as _;
use kube_cel::cel::{Context, ExecutionError, Program, Value};

pub use reads::Reads;
pub use roots::Roots;
pub(crate) use value::map;
pub use value::{escaped, plain};

/// An expression, ready to run.
#[derive(Debug)]
pub struct Compiled {
    text: String,
    program: Program,
    /// The variables that it names.
    named: BTreeSet<String>,
}

/// What became of an expression.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// Its value.
    Value(Value),
    /// It failed, as it would on the API server: a missing key, an overflow.
    Failed(String),
    /// It uses what only an API server has, or what the evaluator lacks.
    Unsupported(String),
}

impl Compiled {
    /// Compiles an expression.
    ///
    /// # Errors
    /// It is no CEL, or is CEL that the parser here does not have.
    pub fn new(text: &str) -> Result<Self, String> {
        // The parser of the crate writes what it does not like to standard error; its errors say the same.
        let program = Program::compile(text).map_err(|errors| one_line(&errors.to_string()))?;
        let named = program.references().variables().into_iter().map(str::to_owned).collect();
        Ok(Self { text: text.to_owned(), program, named })
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether it names a variable.
    pub fn names(&self, variable: &str) -> bool {
        self.named.contains(variable)
    }

    /// What it reads of the variables in `roots`.
    pub fn reads(&self, roots: &mut Roots) {
        roots.run(self.program.expression());
    }

    /// As the value of `variables.name` in policies: read only as far as other expressions use it.
    pub fn reads_as(&self, name: &str, roots: &mut Roots) {
        roots.compose(name, self.program.expression());
    }

    /// Runs it with these variables.
    pub fn run(&self, variables: &[(&str, Value)]) -> Outcome {
        BASE.with(|base| {
            let mut context = base.get_or_init(functions).new_inner_scope();
            for (name, value) in variables.iter().filter(|(name, _)| self.names(name)) {
                context.add_variable_from_value(*name, value.clone());
            }
            match self.program.execute(&context) {
                Ok(value) => Outcome::Value(value),
                Err(ExecutionError::UndeclaredReference(name)) => {
                    Outcome::Unsupported(format!("`{name}` is not known to the evaluator"))
                }
                Err(error) => Outcome::Failed(brief(&error)),
            }
        })
    }
}

fn functions() -> Context<'static> {
    let mut context = Context::default().with_all();
    context.add_function("matches", pattern::matches);
    context
}

thread_local! {
    /// The functions; registering them takes longer than most expressions.
    static BASE: OnceCell<Context<'static>> = const { OnceCell::new() };
}

/// An error without the values that it is about: those may be secrets, and long.
fn brief(error: &ExecutionError) -> String {
    match error {
        ExecutionError::NoSuchKey(key) => format!("no such key: {key}"),
        ExecutionError::NoSuchOverload => "no such overload".into(),
        ExecutionError::UnexpectedType { got, want } => format!("got {got}, not {want}"),
        ExecutionError::FunctionError { function, .. } => format!("{function} fails"),
        ExecutionError::IndexOutOfBounds(_) => "index out of bounds".into(),
        ExecutionError::ValuesNotComparable(..) => "values of different types are compared".into(),
        _ => "it cannot be evaluated with these values".into(),
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn expressions_run_with_the_functions_of_kubernetes() {
        let run = |text: &str| {
            Compiled::new(text).unwrap().run(&[(
                "object",
                plain(&json!({
            "metadata": {"namespace": "a", "labels": {"app.kubernetes.io/name": "x"}}, "n": 2, "list": ["b"]})),
            )])
        };
        for text in [
            "object.metadata.namespace == 'a'",
            "object.metadata.labels['app.kubernetes.io/name'] == 'x'",
            "object.list.all(item, item.matches('^[a-c]$'))",
            "quantity('1Gi').isGreaterThan(quantity('1Mi')) && isIP('10.0.0.1')",
            "has(object.n) && !has(object.m) && object.n + 1 == 3",
            "!has(object.missing) || object.missing.deep == 1",
            "'%s-%d'.format(['a', 1]) == 'a-1' && ['b'].exists(x, x in object.list)",
        ] {
            assert_eq!(run(text), Outcome::Value(Value::Bool(true)), "{text}");
        }
        assert!(matches!(run("object.missing == 1"), Outcome::Failed(_)));
        for _ in 0..2 {
            assert_eq!(run("'b'.matches('^[ac]$')"), Outcome::Value(Value::Bool(false)));
            assert_eq!(run("'b'.matches('(b')"), Outcome::Failed("matches fails".into()));
        }
        assert!(matches!(run("authorizer.group('').resource('x')"), Outcome::Unsupported(_)));
        assert!(Compiled::new("object.").is_err());
    }
}
