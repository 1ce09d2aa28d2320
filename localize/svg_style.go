package localize

// svgStyle colours the picture for light and for dark pages. Its classes begin with rg-, so that a page
// that holds the picture can have a style of its own. Colours are written out, without variables, for the
// sake of viewers that know none.
const svgStyle = `.rg text{font-family:"Helvetica Neue",Helvetica,Arial,"Liberation Sans",sans-serif;font-size:12px;fill:#1d2329;unicode-bidi:isolate}
.rg .rg-page{fill:#fff}
.rg .rg-name{font-size:13.5px;font-weight:700}
.rg .rg-kind,.rg .rg-note{fill:#57636f;font-size:11px}
.rg .rg-worse{fill:#a01d17;font-weight:700}
.rg .rg-box{fill:#f3f5f8;stroke:#7c8894;stroke-width:1.2}
.rg .rg-line{fill:none;stroke:#7c8894;stroke-width:1.2}
.rg .rg-outside .rg-box{stroke-dasharray:5 3;fill:#fff}
.rg .rg-blame{fill:#c5281c}
.rg .rg-suspect .rg-box,.rg .rg-suspect .rg-line{stroke:#a01d17;stroke-width:3}
.rg .rg-badge{fill:#a01d17}
.rg .rg-badge-text{fill:#fff;font-size:11px;font-weight:700}
.rg .rg-badge-less{fill:#fff;stroke:#a01d17;stroke-width:1.2}
.rg .rg-badge-less-text{fill:#a01d17;font-size:11px}
.rg .rg-edge{fill:none;stroke:#7c8894;stroke-width:1.3}
.rg .rg-edge.rg-bad{stroke:#b3261e;stroke-width:2.6}
.rg .rg-edge.rg-async{stroke-dasharray:6 4}
.rg .rg-edge.rg-gone{opacity:.6;stroke-dasharray:1.5 4}
.rg .rg-head{fill:#7c8894}
.rg .rg-head-bad{fill:#b3261e}
.rg .rg-label{fill:#fff;stroke:#c3cad1;stroke-width:.8}
.rg .rg-label.rg-bad{stroke:#b3261e;stroke-width:1.4}
@media (prefers-color-scheme:dark){
.rg text{fill:#e6ebf0}
.rg .rg-page{fill:#14181d}
.rg .rg-kind,.rg .rg-note{fill:#a3afbb}
.rg .rg-worse{fill:#ff9b92}
.rg .rg-box{fill:#222a32;stroke:#7f8c99}
.rg .rg-line{stroke:#7f8c99}
.rg .rg-outside .rg-box{fill:#14181d}
.rg .rg-blame{fill:#f0574a}
.rg .rg-suspect .rg-box,.rg .rg-suspect .rg-line{stroke:#ff8a80}
.rg .rg-badge{fill:#ff8a80}
.rg .rg-badge-text{fill:#14181d}
.rg .rg-badge-less{fill:#14181d;stroke:#ff8a80}
.rg .rg-badge-less-text{fill:#ff8a80}
.rg .rg-edge{stroke:#7f8c99}
.rg .rg-edge.rg-bad{stroke:#ff8a80}
.rg .rg-head{fill:#7f8c99}
.rg .rg-head-bad{fill:#ff8a80}
.rg .rg-label{fill:#14181d;stroke:#4a5663}
.rg .rg-label.rg-bad{stroke:#ff8a80}
}`
