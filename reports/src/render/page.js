(function(){"use strict";
var tip=document.createElement("div");tip.id="tip";tip.setAttribute("role","status");document.body.appendChild(tip);
var lang=document.documentElement.lang;
function text(tag,value,to){var e=document.createElement(tag);e.textContent=value;to.appendChild(e);return e}
function write(h,i){var x=h.x[i],table;tip.textContent="";text("strong",x[0],tip);if(x[1])text("em",x[1],tip);table=document.createElement("table");
h.n.forEach(function(name,k){var v=x[k+2],row;if(v===null)return;row=table.insertRow();text("td",name,row);text("td",v.toLocaleString(lang),row).className="n"});
tip.appendChild(table)}
function place(x,y){tip.style.display="block";var w=tip.offsetWidth,t=tip.offsetHeight;
tip.style.left=Math.max(4,x+16+w>innerWidth?x-w-16:x+16)+"px";tip.style.top=Math.max(4,Math.min(y-t/2,innerHeight-t-4))+"px"}
document.querySelectorAll("svg[data-hover]").forEach(function(svg){
var h=JSON.parse(svg.getAttribute("data-hover")),n=h.x.length,slot=(h.r-h.l)/n,at=-1,line=document.createElementNS("http://www.w3.org/2000/svg","path");
line.setAttribute("class","cursor");svg.appendChild(line);var W=svg.viewBox.baseVal.width;
function show(i,cx,cy){at=Math.max(0,Math.min(n-1,i));var x=h.l+(at+.5)*slot,b=svg.getBoundingClientRect(),k=b.width/W;
line.setAttribute("d","M"+x.toFixed(1)+" "+h.t+"V"+h.b);write(h,at);place(cx===undefined?b.left+x*k:cx,cy===undefined?b.top+h.t*k+60:cy)}
function hide(){line.removeAttribute("d");tip.style.display="none"}
svg.addEventListener("pointermove",function(e){var b=svg.getBoundingClientRect(),x=(e.clientX-b.left)*W/b.width,y=(e.clientY-b.top)*W/b.width;
if(x<h.l||x>h.r||y<h.t-8||y>h.b+14){hide();return}show(Math.floor((x-h.l)/slot),e.clientX,e.clientY)});
svg.addEventListener("pointerleave",hide);svg.addEventListener("blur",hide);
svg.addEventListener("keydown",function(e){var d={ArrowLeft:-1,ArrowRight:1,PageUp:-24,PageDown:24}[e.key];
if(d){e.preventDefault();show(at<0?0:at+d)}else if(e.key==="Escape")hide()})});
})();
