//! Output to plain files: ownership, edits, and what survives.

use std::fs;
use std::path::Path;

use tenantry::error::{Kind, Result};
use tenantry::manifest::tree::Unit;
use tenantry::output::Edits;
use tenantry::output::dir::{self, Outcome};

use crate::fixture::*;

fn render(path: &Path, wanted: &[Unit], edits: Edits) -> Result<Outcome> {
    let baseline = dir::baseline(path)?;
    let mut changes = plan(&baseline, wanted);
    let vanished = baseline.units.keys().filter(|path| wanted.iter().all(|unit| unit.path != **path));
    changes.remove = vanished.cloned().collect();
    dir::write(path, &baseline, &checked(&changes), options(edits))
}

fn written(written: usize, kept: usize, removed: usize) -> Outcome {
    Outcome::Written { written, same: 0, kept, removed }
}

/// That a directory holds the units and nothing else of ours, and that nothing lies beside it.
fn assert_holds(path: &Path, wanted: &[Unit]) {
    for unit in wanted {
        for (file, bytes) in &unit.files {
            assert_eq!(&fs::read(path.join(&unit.path).join(file)).unwrap(), bytes);
        }
    }
    let baseline = dir::baseline(path).unwrap();
    assert!(baseline.edits.is_empty());
    assert!(baseline.units.keys().eq(wanted.iter().map(|unit| &unit.path)));
    assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
}

#[test]
fn writes_changes_removes_and_keeps_what_is_not_ours() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out");
    assert_eq!(render(&path, &[], Edits::Refuse).unwrap(), Outcome::Unchanged);
    let mut wanted = fleet(&["acme", "blue"], "one");
    assert_eq!(render(&path, &wanted, Edits::Refuse).unwrap(), written(3, 0, 0));
    assert_holds(&path, &wanted);
    assert_eq!(render(&path, &wanted, Edits::Refuse).unwrap(), Outcome::Unchanged);

    let foreign = ["README.md", "clusters/notes.txt", "clusters/eu-1/tenants/acme/mine/notes.txt"];
    for file in foreign {
        fs::create_dir_all(path.join(file).parent().unwrap()).unwrap();
        fs::write(path.join(file), file).unwrap();
    }
    wanted[1] = unit(&tenant("acme"), "two");
    assert_eq!(render(&path, &wanted, Edits::Refuse).unwrap(), written(1, 2, 0));
    assert_holds(&path, &wanted);
    let gone = wanted.remove(1);
    wanted[0] = unit("clusters/eu-1/system", "two");
    wanted.push(unit("clusters/us-1/system", "one"));
    assert_eq!(render(&path, &wanted, Edits::Refuse).unwrap(), written(2, 1, 1));
    assert_holds(&path, &wanted);
    assert!(!path.join(&gone.path).join("namespace.yaml").exists());
    for file in foreign {
        assert_eq!(fs::read_to_string(path.join(file)).unwrap(), file);
    }
    assert_eq!(render(&path, &[], Edits::Refuse).unwrap(), written(0, 0, 3));
    assert!(!path.join("clusters/us-1").exists());
}

#[test]
fn an_edited_file_stops_the_write_until_it_may_be_discarded() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out");
    let wanted = fleet(&["acme"], "one");
    render(&path, &wanted, Edits::Refuse).unwrap();
    let file = path.join("clusters/eu-1/tenants/acme/namespace.yaml");
    for edit in ["edited", "removed", "folder", "provenance"] {
        match edit {
            "edited" => fs::write(&file, "mine").unwrap(),
            "removed" => fs::remove_file(&file).unwrap(),
            "folder" => fs::remove_file(&file).and_then(|()| fs::create_dir(&file)).unwrap(),
            _ => fs::write(file.with_file_name("provenance.json"), "mine").unwrap(),
        }
        let error = render(&path, &wanted, Edits::Refuse).unwrap_err();
        assert_eq!(error.kind(), Kind::Guard, "{edit}");
        assert!(error.to_string().contains("clusters/eu-1/tenants/acme/"), "{error}");
        assert_eq!(render(&path, &wanted, Edits::Discard).unwrap(), written(1, 1, 0), "{edit}");
        assert_holds(&path, &wanted);
    }
}

#[test]
fn a_foreign_file_in_the_way_is_named_and_stays() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out");
    let file = path.join("clusters/eu-1/tenants/acme/namespace.yaml");
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(&file, "mine").unwrap();
    for edits in [Edits::Refuse, Edits::Discard] {
        let error = render(&path, &fleet(&["acme"], "one"), edits).unwrap_err();
        assert_eq!(error.kind(), Kind::Guard);
        assert!(error.to_string().contains("clusters/eu-1/tenants/acme/namespace.yaml"), "{error}");
        assert_eq!(fs::read_to_string(&file).unwrap(), "mine");
    }
}
