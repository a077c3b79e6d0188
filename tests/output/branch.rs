//! One writer, one branch: what stands there afterwards.

use std::fs;

use tenantry::output::{Outcome, Repo, WorkTree};

use crate::fixture::*;

#[test]
fn an_absent_folder_becomes_a_clone_that_people_can_browse() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rendered");
    let target = target(&path);
    let wanted = fleet(&["acme", "blue"], "one");
    let Outcome::Committed(done) = render(&target, &wanted).unwrap() else { panic!() };
    assert_eq!((done.written, done.kept, done.removed, done.parent), (3, 0, 0, None));
    assert_eq!(done.work_tree, WorkTree::Updated { files: 12 });
    fsck(&path);
    assert_eq!(git(&path, &["status", "--porcelain"]), "");
    assert_eq!(git(&path, &["symbolic-ref", "HEAD"]), "refs/heads/main");
    let file = &wanted[1].files["policies/default-deny.yaml"];
    assert_eq!(&fs::read(path.join("clusters/eu-1/tenants/acme/policies/default-deny.yaml")).unwrap(), file);
    assert_eq!(
        git(&path, &["log", "-1", "--format=%(trailers)"]),
        format!("Source-Revision: 0123abc\nTenantry-Tree: {}", git(&path, &["rev-parse", "HEAD^{tree}"]))
    );

    assert_eq!(render(&target, &wanted).unwrap(), Outcome::Unchanged { commit: Some(done.commit) });
    assert!(Repo::open(&target, None).unwrap().baseline().unwrap().edits.is_empty());
}
