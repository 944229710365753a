//! `list`, `versions`, `show`.

use insta::assert_snapshot;

use crate::test_dir::everywhere;

#[test]
fn list_prints_the_newest_version_of_every_name() {
    assert_snapshot!(everywhere(|dir| dir.filled().plain(&["list"])), @r#"
    exit 0
    --- stdout
    NAME        VERSION  TYPE           SIZE   CREATED               DIGEST
    label       v1       example/label  100 B  2027-01-15T08:00:00Z  b3:7e39801b4cf9
    wine/price  v2       example/price  330 B  2027-01-15T08:00:00Z  b3:7e6cc7296b5e
    "#);
}

#[test]
fn list_prints_one_json_document() {
    let printed = everywhere(|dir| dir.filled().plain(&["ls", "--format", "json"]));
    assert_snapshot!(printed, @r#"
    exit 0
    --- stdout
    {
      "schema": 1,
      "versions": [
        {
          "name": "label",
          "version": 1,
          "digest": "b3:7e39801b4cf9d56fe1e4dd9ff696520353cba7f3ca5eac3d8ec3907c70cde6a6",
          "type": "example/label",
          "size": 100,
          "created": "2027-01-15T08:00:00.123Z",
          "crate": "larder-cli [version]"
        },
        {
          "name": "wine/price",
          "version": 2,
          "digest": "b3:7e6cc7296b5e2ca098411961ffedc935c9dc8c410bdca24100b1fc2a6957208a",
          "type": "example/price",
          "size": 330,
          "created": "2027-01-15T08:00:00.123Z",
          "crate": "larder-cli [version]"
        }
      ]
    }
    "#);
}

#[test]
fn an_empty_larder_is_listed_as_empty() {
    let printed = everywhere(|dir| {
        dir.larder();
        dir.plain(&["list"]) + &dir.plain(&["--format", "json", "list"])
    });
    assert_snapshot!(printed, @r#"
    exit 0
    --- stderr
    no versions in [store]
    exit 0
    --- stdout
    {
      "schema": 1,
      "versions": []
    }
    "#);
}

#[test]
fn versions_prints_the_history_of_a_name_with_its_tags() {
    let printed = everywhere(|dir| dir.filled().plain(&["versions", "wine/price"]));
    assert_snapshot!(printed, @r#"
    exit 0
    --- stdout
    VERSION  TAGS  TYPE           SIZE   CREATED               DIGEST
    v1       prod  example/price  330 B  2027-01-15T08:00:00Z  b3:d9836dc820fe
    v2             example/price  330 B  2027-01-15T08:00:00Z  b3:7e6cc7296b5e
    "#);
}

#[test]
fn versions_prints_one_json_document() {
    let printed =
        everywhere(|dir| dir.filled().plain(&["versions", "wine/price", "--format=json"]));
    assert_snapshot!(printed, @r#"
    exit 0
    --- stdout
    {
      "schema": 1,
      "versions": [
        {
          "name": "wine/price",
          "version": 1,
          "digest": "b3:d9836dc820fecd29f10fba64827f9e0a26fc717a60aa3d9ea4472385ac1a29e6",
          "type": "example/price",
          "size": 330,
          "created": "2027-01-15T08:00:00.123Z",
          "crate": "larder-cli [version]",
          "tags": [
            {
              "tag": "prod",
              "version": 1,
              "moved": "2027-01-15T08:00:00.123Z",
              "by": null,
              "protected": false
            }
          ]
        },
        {
          "name": "wine/price",
          "version": 2,
          "digest": "b3:7e6cc7296b5e2ca098411961ffedc935c9dc8c410bdca24100b1fc2a6957208a",
          "type": "example/price",
          "size": 330,
          "created": "2027-01-15T08:00:00.123Z",
          "crate": "larder-cli [version]",
          "tags": []
        }
      ]
    }
    "#);
}

#[test]
fn show_prints_a_version_whose_type_is_not_linked_in() {
    let printed = everywhere(|dir| dir.filled().plain(&["show", "wine/price:prod"]));
    assert_snapshot!(printed, @r#"
    exit 0
    --- stdout
    name     wine/price
    version  v1
    tags     prod
    type     example/price (not linked in)
    crate    larder-cli [version]
    created  2027-01-15T08:00:00Z
    size     330 B
    digest   b3:d9836dc820fecd29f10fba64827f9e0a26fc717a60aa3d9ea4472385ac1a29e6

    fields:
    {
      "currency": "EUR",
      "weights": {
        "$artifact": "b3:f188dcc52279fd88e2c3bff68770968e4ed47a37d14646d5c9f6f43dd6399090",
        "serializer": "f64-le"
      }
    }

    artifacts:
    b3:f188dcc52279fd88e2c3bff68770968e4ed47a37d14646d5c9f6f43dd6399090  24 B  f64-le (not linked in)
    "#);
}

#[test]
fn show_prints_a_model_with_its_signature() {
    let printed = everywhere(|dir| dir.filled().linked(&["show", "wine/price@2"]));
    assert_snapshot!(printed, @r#"
    exit 0
    --- stdout
    name     wine/price
    version  v2
    tags     none
    type     example/price (linked in as linked::components::Price)
    crate    larder-cli [version]
    created  2027-01-15T08:00:00Z
    size     330 B
    digest   b3:7e6cc7296b5e2ca098411961ffedc935c9dc8c410bdca24100b1fc2a6957208a

    fields:
    {
      "currency": "EUR",
      "weights": {
        "$artifact": "b3:50dd04420efa21a64ccfa8f8455a5414bf69c2509f5087cd1b2dff41dffc6ee7",
        "serializer": "f64-le"
      }
    }

    artifacts:
    b3:50dd04420efa21a64ccfa8f8455a5414bf69c2509f5087cd1b2dff41dffc6ee7  24 B  f64-le

    signature:
    age: uint32, points: float64 → currency: string, price: float64
    "#);
}

#[test]
fn show_prints_what_is_no_model() {
    let printed = everywhere(|dir| dir.filled().linked(&["show", "label"]));
    assert_snapshot!(printed, @r#"
    exit 0
    --- stdout
    name     label
    version  v1
    tags     none
    type     example/label (linked in as linked::components::Label)
    crate    larder-cli [version]
    created  2027-01-15T08:00:00Z
    size     100 B
    digest   b3:7e39801b4cf9d56fe1e4dd9ff696520353cba7f3ca5eac3d8ec3907c70cde6a6

    fields:
    {
      "title": "Riesling",
      "years": [
        2019,
        2021
      ]
    }
    "#);
}

#[test]
fn show_prints_one_json_document() {
    let printed =
        everywhere(|dir| dir.filled().linked(&["show", "wine/price:prod", "--format", "json"]));
    assert_snapshot!(printed, @r#"
    exit 0
    --- stdout
    {
      "schema": 1,
      "name": "wine/price",
      "version": 1,
      "digest": "b3:d9836dc820fecd29f10fba64827f9e0a26fc717a60aa3d9ea4472385ac1a29e6",
      "type": "example/price",
      "size": 330,
      "created": "2027-01-15T08:00:00.123Z",
      "crate": "larder-cli [version]",
      "type_version": 1,
      "linked": true,
      "rust_type": "linked::components::Price",
      "tags": [
        {
          "tag": "prod",
          "version": 1,
          "moved": "2027-01-15T08:00:00.123Z",
          "by": null,
          "protected": false
        }
      ],
      "description": null,
      "labels": {},
      "metrics": {},
      "locked": null,
      "name_locked": null,
      "fields": {
        "currency": "EUR",
        "weights": {
          "$artifact": "b3:f188dcc52279fd88e2c3bff68770968e4ed47a37d14646d5c9f6f43dd6399090",
          "serializer": "f64-le"
        }
      },
      "artifacts": [
        {
          "digest": "b3:f188dcc52279fd88e2c3bff68770968e4ed47a37d14646d5c9f6f43dd6399090",
          "size": 24,
          "serializer": "f64-le",
          "linked": true
        }
      ],
      "signature": {
        "input": {
          "$schema": "https://json-schema.org/draft/2020-12/schema",
          "title": "Bottle",
          "description": "The input of a price model.",
          "type": "object",
          "properties": {
            "age": {
              "description": "Years since it was filled.",
              "type": "integer",
              "format": "uint32",
              "minimum": 0
            },
            "points": {
              "description": "Up to 100.",
              "type": "number",
              "format": "double"
            }
          },
          "required": [
            "age",
            "points"
          ]
        },
        "output": {
          "$schema": "https://json-schema.org/draft/2020-12/schema",
          "title": "Quote",
          "description": "The price.",
          "type": "object",
          "properties": {
            "currency": {
              "type": "string"
            },
            "price": {
              "type": "number",
              "format": "double"
            }
          },
          "required": [
            "currency",
            "price"
          ]
        }
      }
    }
    "#);
}

#[test]
fn show_prints_one_json_document_for_a_type_that_is_not_linked_in() {
    let printed = everywhere(|dir| dir.filled().plain(&["show", "wine/price", "--format", "json"]));
    assert_snapshot!(printed, @r#"
    exit 0
    --- stdout
    {
      "schema": 1,
      "name": "wine/price",
      "version": 2,
      "digest": "b3:7e6cc7296b5e2ca098411961ffedc935c9dc8c410bdca24100b1fc2a6957208a",
      "type": "example/price",
      "size": 330,
      "created": "2027-01-15T08:00:00.123Z",
      "crate": "larder-cli [version]",
      "type_version": 1,
      "linked": false,
      "rust_type": null,
      "tags": [],
      "description": null,
      "labels": {},
      "metrics": {},
      "locked": null,
      "name_locked": null,
      "fields": {
        "currency": "EUR",
        "weights": {
          "$artifact": "b3:50dd04420efa21a64ccfa8f8455a5414bf69c2509f5087cd1b2dff41dffc6ee7",
          "serializer": "f64-le"
        }
      },
      "artifacts": [
        {
          "digest": "b3:50dd04420efa21a64ccfa8f8455a5414bf69c2509f5087cd1b2dff41dffc6ee7",
          "size": 24,
          "serializer": "f64-le",
          "linked": false
        }
      ],
      "signature": null
    }
    "#);
}

#[test]
fn show_finds_a_version_by_the_beginning_of_its_digest() {
    everywhere(|dir| {
        let larder = dir.filled().larder();
        let digest = larder.show("wine/price@1").unwrap().version.digest;
        let reference = format!("wine/price@{}", digest.short());
        let printed = dir.plain(&["show", &reference]);
        assert!(printed.starts_with("exit 0\n"), "{printed}");
        assert!(printed.contains(&digest.to_string()), "{printed}");
        printed
    });
}
