// What a hover tells, also by touch. Without this script the browser shows the titles itself.
const tip = document.getElementById("tip");
const texts = new Map();
let on = null;
document.querySelectorAll(".hit").forEach((hit) => {
  const title = hit.querySelector("title");
  texts.set(hit, title.textContent);
  title.remove();
});
function show(event) {
  const hit = event.target.closest(".hit");
  on?.classList.remove("on");
  on = hit;
  tip.hidden = !hit;
  if (hit) {
    hit.classList.add("on");
    tip.textContent = texts.get(hit);
    const room = document.documentElement.clientWidth - tip.offsetWidth - 8;
    tip.style.left = Math.max(8, Math.min(event.clientX + 14, room)) + "px";
    tip.style.top = Math.max(8, event.clientY - tip.offsetHeight - 14) + "px";
  }
}
document.addEventListener("pointermove", show);
document.addEventListener("pointerdown", show);
document.addEventListener("scroll", () => { tip.hidden = true; }, { passive: true });
