(function () {
  "use strict";
  var root = document.documentElement;
  var all = function (selector, inside) {
    return Array.prototype.slice.call((inside || document).querySelectorAll(selector));
  };
  var chosen = 0;

  // Languages: one of the two pages is shown.
  function showLanguage(language) {
    root.lang = language;
    document.title = document.getElementById(language).dataset.title;
    all("[data-language]").forEach(function (link) {
      link.setAttribute("aria-current", String(link.dataset.language === language));
    });
  }
  all("[data-language]").forEach(function (link) {
    link.addEventListener("click", function (event) {
      event.preventDefault();
      showLanguage(link.dataset.language);
    });
  });

  // Outcomes: links become tabs, in step in both languages.
  function showOutcome(index) {
    chosen = index;
    all(".tabs").forEach(function (list) {
      all("a", list).forEach(function (tab, k) {
        tab.setAttribute("aria-selected", String(k === index));
        tab.tabIndex = k === index ? 0 : -1;
        document.getElementById(tab.hash.slice(1)).hidden = k !== index;
      });
    });
  }
  all(".tabs").forEach(function (list) {
    list.setAttribute("role", "tablist");
    var tabs = all("a", list);
    tabs.forEach(function (tab, k) {
      var panel = document.getElementById(tab.hash.slice(1));
      tab.setAttribute("role", "tab");
      tab.setAttribute("aria-controls", panel.id);
      panel.setAttribute("role", "tabpanel");
      tab.addEventListener("click", function (event) {
        event.preventDefault();
        showOutcome(k);
      });
      tab.addEventListener("keydown", function (event) {
        var step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
        if (event.key === " ") { event.preventDefault(); showOutcome(k); }
        if (!step) { return; }
        event.preventDefault();
        var next = (k + step + tabs.length) % tabs.length;
        showOutcome(next);
        tabs[next].focus();
      });
    });
  });

  // Tables: sort by a column, filter by a word.
  function number(cell) {
    var written = cell.textContent.replace(/,/g, "").replace(/\u2212/g, "-");
    var found = written.match(/-?\d+(\.\d+)?/);
    return found ? parseFloat(found[0]) : null;
  }
  function compare(column, numeric, direction) {
    return function (a, b) {
      var x = a.cells[column], y = b.cells[column];
      if (!numeric) { return direction * x.textContent.localeCompare(y.textContent, root.lang); }
      var p = number(x), q = number(y);
      if (p === null || q === null) { return (p === null) - (q === null); }
      return direction * (p - q);
    };
  }
  all("table").forEach(function (table) {
    var heads = all("thead th", table);
    heads.forEach(function (head, column) {
      var button = document.createElement("button");
      button.type = "button";
      button.textContent = head.textContent;
      head.textContent = "";
      head.appendChild(button);
      button.addEventListener("click", function () {
        var down = head.getAttribute("aria-sort") === "descending";
        heads.forEach(function (other) { other.removeAttribute("aria-sort"); });
        head.setAttribute("aria-sort", down ? "ascending" : "descending");
        var rows = all("tbody tr", table);
        rows.sort(compare(column, head.classList.contains("n"), down ? 1 : -1));
        rows.forEach(function (row) { table.tBodies[0].appendChild(row); });
      });
    });
  });
  all(".filter input").forEach(function (input) {
    var rows = all("tbody tr", input.closest("details"));
    input.addEventListener("input", function () {
      var words = input.value.trim().toLowerCase();
      rows.forEach(function (row) { row.hidden = row.textContent.toLowerCase().indexOf(words) < 0; });
    });
  });

  showLanguage(root.lang);
  showOutcome(chosen);
})();
