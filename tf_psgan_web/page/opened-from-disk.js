// Browsers load no modules from file: addresses; this plain script says so.
if (location.protocol === "file:") {
  const notice = document.getElementById("notice");
  notice.querySelector("p").textContent =
    "Browsers do not run this page from a file. Serve its folder instead: run “python3 -m http.server” there and open http://localhost:8000.";
  notice.hidden = false;
}
