// Says how long a line is while it is written (core/widgets.py).
function guide(input) {
  const note = input.parentElement.appendChild(document.createElement("output"))
  note.className = "guide"
  note.htmlFor = input.id
  const show = () => {
    const { guide, guideGood, guideLong } = input.dataset
    const number = [...input.value].length
    note.textContent = (number > guide ? guideLong : guideGood).replace("#", number)
    note.classList.toggle("guide-long", number > guide)
    note.hidden = !number
  }
  input.addEventListener("input", show)
  show()
}

document.querySelectorAll("[data-guide]").forEach(guide)
