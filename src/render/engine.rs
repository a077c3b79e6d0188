//! Tera templates with every interpolation a whole, escaped YAML scalar.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::Write;
use std::sync::{Arc, RwLock};

use serde_json::Value;
use tera::{Context, Kwargs, State, Tera};

use super::shape::{CLOSE, Held, OPEN, Shape, hole_text};
use crate::finding::{Finding, Location};
use crate::manifest::{Digest, IdRef};
use crate::secrets::leak;
use crate::yaml::LONGEST_KEY;

static EMBEDDED: include_dir::Dir<'_> = include_dir::include_dir!("$CARGO_MANIFEST_DIR/templates");

/// How many values a thread knows before it begins anew: those of all tenants, and those of some tenants themselves.
const KNOWN: usize = 4096;

thread_local! {
    /// Values of the template that this thread renders, by the number of their hole.
    static HOLES: RefCell<Vec<Held>> = const { RefCell::new(Vec::new()) };
    /// Values that this thread met lately: a value that comes again is held once.
    static MET: RefCell<HashSet<Held>> = RefCell::default();
}

/// The templates of a fleet, compiled, and the shapes that they were seen to have.
#[derive(Debug)]
pub struct Templates {
    tera: Tera,
    digest: Digest,
    /// Texts of the fleet's own.
    own: BTreeMap<String, String>,
    shapes: RwLock<HashMap<String, Arc<Shape>>>,
}

/// A template rendered with one set of values.
#[derive(Debug, Clone)]
pub struct Rendered {
    template: &'static str,
    shape: Arc<Shape>,
    values: Vec<Held>,
}

impl Rendered {
    /// The canonical text.
    pub fn text(&self) -> String {
        let mut text = String::with_capacity(self.shape.room(&self.values));
        self.shape.write(&self.values, &mut text);
        text
    }

    /// Name of the template below `templates/`.
    pub fn template(&self) -> &'static str {
        self.template
    }

    /// The text without the values; many tenants share one.
    pub fn shape(&self) -> &Arc<Shape> {
        &self.shape
    }

    /// The values, by the number of their hole.
    pub fn values(&self) -> &[Held] {
        &self.values
    }

    /// Whether both are the same text.
    pub fn same_as(&self, other: &Self) -> bool {
        if Arc::ptr_eq(&self.shape, &other.shape) { self.values == other.values } else { self.text() == other.text() }
    }

    /// The manifests.
    pub fn objects(&self) -> impl Iterator<Item = Value> + '_ {
        self.shape.objects(&self.values)
    }

    /// The identities of the manifests.
    ///
    /// # Errors
    /// A document lacks a part of its identity.
    pub fn identities(&self) -> impl Iterator<Item = Result<IdRef<'_>, String>> {
        self.shape.identities(&self.values)
    }

    /// Whether its text or a value looks as if it held a secret. A shape is searched once; of values, those that other
    /// tenants had are not searched again.
    pub fn is_suspect(&self) -> bool {
        self.is_suspect_shape() || leak::in_values(self.values.iter().map(AsRef::as_ref))
    }

    /// Whether its text looks so, or a value by the field that it stands in.
    pub fn is_suspect_shape(&self) -> bool {
        self.shape.is_suspect() || self.shape.is_suspect_with(&self.values)
    }
}

impl Templates {
    /// The templates of the program, with a fleet's own (`templates/…`) in the place of their twins.
    ///
    /// # Errors
    /// Templates that do not compile, each with its file.
    pub fn load<'a>(own: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, Vec<Finding>> {
        let mut texts: BTreeMap<String, String> = BTreeMap::new();
        embedded(&EMBEDDED, &mut texts);
        let mut findings = Vec::new();
        let mut overridden = Vec::new();
        for (path, text) in own {
            let name = path.trim_start_matches("templates/").to_owned();
            if !texts.contains_key(&name) {
                let known: Vec<String> = texts.keys().cloned().collect();
                let finding = Finding::invalid("render/unknown-template", format!("nothing renders {path}"));
                let near =
                    crate::config::schema::nearest(&name, &known).map(|near| format!("did you mean templates/{near}?"));
                let hint = near.unwrap_or_else(|| format!("templates: {}", known.join(", ")));
                findings.push(finding.at(Location::file(path)).hint(hint));
            }
            if text.contains([OPEN, CLOSE]) {
                let finding = Finding::invalid("render/private-use", "a template may not hold U+E000 or U+E001");
                findings.push(finding.at(Location::file(path)));
            }
            overridden.push(name.clone());
            texts.insert(name, text.to_owned());
        }
        let digest = Digest::of_parts(texts.iter().flat_map(|(name, text)| [name.as_bytes(), text.as_bytes()]));
        let mut tera = Tera::new();
        tera.autoescape_on([".tera"]);
        tera.set_escape_fn(write_hole);
        tera.register_filter("typed", typed);
        tera.register_filter("yaml", tree);
        tera.register_filter("safe", refused);
        if let Err(error) = tera.add_raw_templates(&texts) {
            let file = overridden.iter().find(|name| error.to_string().contains(name.as_str()));
            let place =
                file.map_or_else(|| Location::file("templates"), |name| Location::file(format!("templates/{name}")));
            let place = file.and_then(|name| place_in(name, &full(&error))).unwrap_or(place);
            findings.push(Finding::invalid("render/template", full(&error)).at(place));
        }
        let own = overridden.into_iter().filter_map(|name| texts.remove_entry(&name)).collect();
        if findings.is_empty() { Ok(Self { tera, digest, own, shapes: RwLock::default() }) } else { Err(findings) }
    }

    /// Digest of all templates.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Renders one template.
    ///
    /// # Errors
    /// The template fails, or its text with holes is no YAML.
    pub fn render(&self, name: &'static str, context: &Context) -> Result<Rendered, Finding> {
        HOLES.with_borrow_mut(Vec::clear);
        let text = self.tera.render(name, context);
        let mut values = HOLES.with_borrow_mut(std::mem::take);
        values.shrink_to_fit();
        let place = Location::file(format!("templates/{name}"));
        let text = text.map_err(|error| {
            let text = full(&error);
            let place = place_in(name, &text).unwrap_or(place);
            Finding::invalid("render/template", text).at(place)
        })?;
        let shape = self.shape(name, text)?;
        Ok(Rendered { template: name, shape, values })
    }

    /// The line of a fleet's own template that writes a rendered line: the first that begins as it does before its
    /// first value.
    pub(super) fn writes(&self, name: &str, rendered: &str) -> Location {
        let start = rendered.split(OPEN).next().unwrap_or_default().trim_end();
        let writes = |line: &str| !start.is_empty() && line.trim_start().starts_with(start) && line.contains("{{");
        let text = self.own.get(name).map(String::as_str).unwrap_or_default();
        let plain = || text.lines().position(|line| !rendered.is_empty() && line.trim() == rendered);
        let line = text.lines().position(writes).or_else(plain).and_then(|at| u32::try_from(at + 1).ok()).unwrap_or(1);
        Location { line, ..Location::file(format!("templates/{name}")) }
    }

    fn shape(&self, name: &str, text: String) -> Result<Arc<Shape>, Finding> {
        if let Ok(shapes) = self.shapes.read()
            && let Some(shape) = shapes.get(&text)
        {
            return Ok(Arc::clone(shape));
        }
        let shape = Shape::compile(&text).map_err(|error| {
            let line = text.lines().nth(error.span.line.saturating_sub(1) as usize).unwrap_or("").trim();
            let place = self.writes(name, line);
            let line = line.replace([OPEN, CLOSE], "·");
            let message = format!("{} (rendered line {}: {line})", error.message, error.span.line);
            Finding::invalid("render/shape", message).at(place)
        })?;
        let shape = Arc::new(shape);
        if let Ok(mut shapes) = self.shapes.write() {
            shapes.insert(text, Arc::clone(&shape));
        }
        Ok(shape)
    }
}

/// The place in a template that an error of Tera's names (`--> tenant/quota.yaml.tera:8:18`).
fn place_in(name: &str, error: &str) -> Option<Location> {
    let (_, rest) = error.split_once(&format!("{name}:"))?;
    let mut numbers = rest.split(|character: char| !character.is_ascii_digit()).map(str::parse::<u32>);
    let (line, column) = (numbers.next()?.ok()?, numbers.next()?.ok()?);
    Some(Location { line: line.max(1), column: column.max(1), ..Location::file(format!("templates/{name}")) })
}

/// The program's own text of a template, by its name such as `tenant/quota.yaml.tera`.
pub fn embedded_text(name: &str) -> Option<&'static str> {
    EMBEDDED.get_file(name)?.contents_utf8()
}

fn embedded(folder: &include_dir::Dir<'_>, texts: &mut BTreeMap<String, String>) {
    for file in folder.files() {
        if let (Some(name), Some(text)) = (file.path().to_str(), file.contents_utf8())
            && name.ends_with(".tera")
        {
            texts.insert(name.to_owned(), text.to_owned());
        }
    }
    folder.dirs().for_each(|inner| embedded(inner, texts));
}

/// The escape function: keeps the value, writes its hole.
fn write_hole(text: &str, out: &mut dyn Write) -> std::io::Result<()> {
    out.write_all(keep(Value::String(text.to_owned())).as_bytes())
}

fn keep(value: Value) -> std::borrow::Cow<'static, str> {
    let value = held(value);
    HOLES.with_borrow_mut(|holes| {
        holes.push(value);
        hole_text(holes.len() - 1)
    })
}

fn held(value: Value) -> Held {
    MET.with_borrow_mut(|met| {
        if let Some(held) = met.get(&value) {
            return Held::clone(held);
        }
        if met.len() >= KNOWN {
            met.clear();
        }
        let held = Held::new(value);
        met.insert(Held::clone(&held));
        held
    })
}

/// `typed`: a number or boolean as a hole. (Without it the number stands in the shape, and each number makes one more.)
fn typed(value: &tera::Value, _: Kwargs, _: &State<'_>) -> tera::TeraResult<tera::Value> {
    let value = json(value)?;
    if !(value.is_number() || value.is_boolean()) {
        return Err(tera::Error::message("the filter `typed` takes a number or a boolean"));
    }
    Ok(tera::Value::safe_string(&keep(value)))
}

/// `yaml`: a whole list or mapping.
fn tree(value: &tera::Value, _: Kwargs, _: &State<'_>) -> tera::TeraResult<tera::Value> {
    let mut text = String::new();
    write_tree(json(value)?, &mut text);
    Ok(tera::Value::safe_string(&text))
}

/// A mapping is a part of the shape, with holes for what it holds: tenants have their fields in common, and the values of
/// a release are many. Anything else is a hole, as is a mapping with a key that YAML might not read as it stands.
fn write_tree(value: Value, out: &mut String) {
    let is_plain = |key: &str| {
        (1..=LONGEST_KEY).contains(&key.len())
            && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_./".contains(&byte))
    };
    match value {
        Value::Object(fields) if !fields.is_empty() && fields.keys().all(|key| is_plain(key)) => {
            for (number, (key, value)) in fields.into_iter().enumerate() {
                out.push_str(if number == 0 { "{\"" } else { ", \"" });
                out.push_str(&key);
                out.push_str("\": ");
                write_tree(value, out);
            }
            out.push('}');
        }
        value => out.push_str(&keep(value)),
    }
}

/// `safe` would put a value into the text unescaped.
fn refused(_: &tera::Value, _: Kwargs, _: &State<'_>) -> tera::TeraResult<tera::Value> {
    Err(tera::Error::message(
        "the filter `safe` does not exist here: every value is a whole YAML scalar (`typed`, `yaml`)",
    ))
}

fn json(value: &tera::Value) -> tera::TeraResult<Value> {
    serde_json::to_value(value).map_err(|error| tera::Error::message(error.to_string()))
}

fn full(error: &tera::Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        text = format!("{text}: {inner}");
        source = inner.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn render(template: &str, value: &str) -> Result<Rendered, Finding> {
        let templates = Templates::load([("templates/tenant/namespace.yaml.tera", template)]).unwrap();
        let mut context = Context::new();
        context.insert("a", &value);
        context.insert("n", &7);
        templates.render("tenant/namespace.yaml.tera", &context)
    }

    #[test]
    fn no_value_breaks_out_of_its_scalar() {
        for value in [
            "\"",
            "'",
            "x\ny: z",
            "x\n---\nkind: Evil",
            ": ",
            "a: b",
            "# c",
            " #",
            "!!int 1",
            "{{ a }}",
            "{% raw %}",
            "\u{2028}",
            "\u{2029}",
            "\u{85}",
            "\u{FEFF}",
            "- a",
            "[",
            "{a: b}",
            "*x",
            "&x",
            "|",
            ">",
            "\\",
            "\0",
            "\r\n",
            "no",
            "1",
            "~",
            "",
            " x ",
            "é😀",
            "\u{E000}0\u{E001}",
        ] {
            let rendered = render("kind: X\nmetadata:\n  name: {{ a }}\nlist:\n  - {{ a }}\n", value).unwrap();
            let text = rendered.text();
            let documents = crate::yaml::parse(&text, crate::yaml::Limits::MANIFEST).unwrap();
            assert_eq!(documents.len(), 1, "{value:?}");
            let json = documents[0].root.to_json();
            assert_eq!(json["metadata"]["name"], *value, "{text}");
            assert_eq!(json["list"][0], *value, "{text}");
            let other: Value = serde_yaml::from_str(&text).unwrap();
            assert_eq!(other, json);
        }
    }

    #[test]
    fn fields_of_a_mapping_belong_to_the_shape_and_what_they_hold_does_not() {
        let templates = |text: &str| Templates::load([("templates/tenant/namespace.yaml.tera", text)]).unwrap();
        let render = |templates: &Templates, tree: &Value| {
            let mut context = Context::new();
            context.insert("tree", tree);
            templates.render("tenant/namespace.yaml.tera", &context)
        };
        let whole = templates("kind: X\nspec: {{ tree | yaml }}\nlist:\n  - {{ tree | yaml }}\n");
        for tree in [
            json!({}),
            json!({"a": 1, "b": {"c": [1, {"d": null}], "e/f.g_h-i": "x: y\n", "no": false, "1": {}}}),
            json!({"a b": 1, "c": {"d": 1}}),
            json!({"x": {"y: z": "no", "#": [], "\u{85}\"": 1}}),
            json!({"\u{E000}0\u{E001}": {"a": 1}, "": "\u{E000}0\u{E001}"}),
            json!({"k".repeat(LONGEST_KEY): 1}),
            json!({"k".repeat(LONGEST_KEY + 1): 1}),
            json!([{"a": {"b": 1}}]),
            json!("a: b"),
        ] {
            let rendered = render(&whole, &tree).unwrap_or_else(|error| panic!("{tree}: {error:?}"));
            let expected = json!({"kind": "X", "spec": tree, "list": [tree]});
            assert_eq!(rendered.objects().next().unwrap(), expected);
            let read = crate::yaml::parse(&rendered.text(), crate::yaml::Limits::MANIFEST).unwrap();
            assert_eq!(read[0].root.to_json(), expected);
        }
        let shape = |tree| Arc::clone(render(&whole, &tree).unwrap().shape());
        let of_one = shape(json!({"a": 1, "b": {"c": [1]}}));
        assert!(Arc::ptr_eq(&of_one, &shape(json!({"a": "x", "b": {"c": []}}))));
        assert!(!Arc::ptr_eq(&of_one, &shape(json!({"a": 1, "b": {"d": [1]}}))));
        for part in [
            "a: x-{{ t }}",
            "a: x {{ t }}",
            "a: \"{{ t }}\"",
            "a: '{{ t }}'",
            "{{ t }}: a",
            "a: |\n  {{ t }}\n",
            "a: {{ t }} x",
        ] {
            let text = part.replace("{{ t }}", "{{ tree | yaml }}");
            assert_eq!(render(&templates(&text), &json!({"k": 1})).unwrap_err().rule, "render/shape", "{part}");
        }
    }

    #[test]
    fn numbers_stay_numbers_and_safe_is_refused() {
        let rendered = render("a: {{ n | typed }}\nb: {{ n }}\nc: {{ n + 1 }}\n", "").unwrap();
        assert_eq!(rendered.objects().next().unwrap(), serde_json::json!({"a": 7, "b": 7, "c": 8}));
        assert!(render("a: {{ a | safe }}", "x: y").unwrap_err().message.contains("does not exist here"));
        assert!(render("a: {{ a | typed }}", "x").is_err());
    }

    #[test]
    fn missing_values_and_half_scalars_are_refused() {
        assert_eq!(render("a: {{ missing }}", "").unwrap_err().rule, "render/template");
        assert_eq!(render("a: x-{{ a }}", "y").unwrap_err().rule, "render/shape");
    }

    #[test]
    fn unknown_and_broken_templates_are_named() {
        let wrong = Templates::load([("templates/tenant/namespaces.yaml.tera", "a: 1")]).unwrap_err();
        assert!(wrong[0].hint.as_deref().unwrap().contains("namespace.yaml.tera"));
        let broken = Templates::load([("templates/tenant/quota.yaml.tera", "{% if %}")]).unwrap_err();
        assert_eq!(broken[0].location.as_ref().unwrap().file, "templates/tenant/quota.yaml.tera");
    }
}
