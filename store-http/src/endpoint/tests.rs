use super::*;

#[test]
fn a_reference_is_a_part_of_a_path() {
    for reference in ["wine", "house/price", "house/price:prod", "wine@3", "wine@b3:0a1b"] {
        assert!(check_reference(reference).is_ok(), "{reference}");
    }
    for wrong in ["", "/", "a//b", "../admin", "a/./b", "a?b", "a#b", "a b", "a%2fb", "ä", "a\0"] {
        assert!(check_reference(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn a_command_for_curl_has_no_secret_and_is_quoted() {
    let endpoint: Endpoint<&str, f64> =
        Endpoint::new("http://127.0.0.1:7420/team", "house/price").unwrap();
    let endpoint = endpoint.with_token("larder_QZ0").unwrap();
    let command = endpoint.curl(&"it's $HOME").unwrap();
    assert_eq!(
        command,
        "curl http://127.0.0.1:7420/team/predict/house/price -H \"Authorization: Bearer $LARDER_TOKEN\" \
         -H 'Content-Type: application/json' --data-raw '{\"input\":\"it'\\''s $HOME\"}'"
    );
    assert!(!format!("{endpoint:?}").contains("QZ0"));
    assert!(endpoint.with_token("two words").is_err());
}

#[cfg(unix)]
#[test]
fn a_socket_is_named_by_its_path() {
    let endpoint: Endpoint<f64, f64> = Endpoint::new("unix:/run/larder.sock", "wine").unwrap();
    let command = endpoint.curl(&1.5).unwrap();
    assert!(
        command.starts_with("curl --unix-socket /run/larder.sock http://localhost/predict/wine")
    );
    assert!(Endpoint::<f64, f64>::new("unix:larder.sock", "wine").is_err());
}
